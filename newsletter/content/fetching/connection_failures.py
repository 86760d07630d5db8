"""Explain why a connection failed, without the words of Python and OpenSSL."""

import ssl

MAX_CAUSES = 10  # of an error that are looked at


def explain(error: BaseException) -> str:
    """Return the reason in words that help an operator; the HTTP library's own where no better ones are known."""
    cause: BaseException | None = error
    for _ in range(MAX_CAUSES):
        match cause:
            case ssl.SSLCertVerificationError():
                return f"its certificate cannot be trusted ({cause.verify_message or 'it is not valid'})."
            case ssl.SSLError():
                return f"no encrypted connection is possible ({_reason(cause)}). Is the address one with http://?"
            case ConnectionRefusedError():
                return "the connection was refused: no server listens on this port."
            case ConnectionResetError():
                return "it closed the connection without an answer."
            case None:
                break
        cause = cause.__cause__ or cause.__context__
    return str(error)


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "unknown reason").replace("_", " ").lower()
