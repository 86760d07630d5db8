"""The benchmarks behind `newsletter bench`: servers, load, baselines, and what each process costs."""
