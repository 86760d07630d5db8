"""How fast: rates, throttling, circuit breaker, retries, and the state that all workers share."""
