# One image for web, worker, beat and the `newsletter` command: `docker build --tag newsletter .`
#
# To pin the base image by its digest, so that every build starts from the same bytes:
#   docker buildx imagetools inspect python:3.13.16-slim-trixie
#   docker build --build-arg PYTHON=python:3.13.16-slim-trixie@sha256:... --tag newsletter .
ARG PYTHON=python:3.13.16-slim-trixie


FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv --without-pip /opt/newsletter
WORKDIR /build

# Packages first, because they change less often than the code. Wheels only, so that the build needs no compiler.
COPY requirements.lock ./
RUN pip --python /opt/newsletter install --require-hashes --only-binary :all: --requirement requirements.lock

COPY LICENSE README.md hatch_build.py pyproject.toml ./
COPY newsletter newsletter
COPY templates templates
COPY workers workers
RUN pip --python /opt/newsletter wheel --no-index --no-deps --no-build-isolation --wheel-dir dist . \
    && pip --python /opt/newsletter install --no-index --no-deps dist/*.whl \
    && pip --python /opt/newsletter uninstall --yes editables hatchling


FROM ${PYTHON}
LABEL org.opencontainers.image.title="Newsletter" \
      org.opencontainers.image.description="A self-hosted newsletter service: web, worker, beat and command" \
      org.opencontainers.image.licenses="MIT"

# The user ID is fixed, so that a host folder for /data can be given this owner.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin newsletter \
    && install --directory --owner newsletter --group newsletter --mode 700 /data
COPY --from=build /opt/newsletter /opt/newsletter

ENV PATH=/opt/newsletter/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    NEWSLETTER_DATA_DIR=/data

USER 10001:10001
WORKDIR /data
EXPOSE 8000
STOPSIGNAL SIGTERM

# By default the image runs the whole service, with SQLite and an outbox in /data:
#   docker run --init --publish 127.0.0.1:8000:8000 --volume newsletter:/data newsletter
# compose.yaml runs web, worker and beat from the same image with other commands.
CMD ["newsletter", "serve", "--host", "0.0.0.0"]
