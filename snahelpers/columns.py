"""The names of the columns of a sweep's table, for those who make it and those who read it."""

SPLITS = ("select", "test")
TASK, CONFIGURATION = ["model", "method", "task"], ["layer", "n_neurons", "multiplier"]
KEYS = ["model", "task", "domain", "difficulty", "split", "method", *CONFIGURATION]
OUTCOMES = [
    *("p_base", "p_post", "pct_improvement", "delta_logodds"),
    *("rank_base", "rank_post", "entropy_base", "entropy_post"),
]
