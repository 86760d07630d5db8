"""The benchmarks behind `newsletter bench`: servers, load, baselines, and each process's cost."""
