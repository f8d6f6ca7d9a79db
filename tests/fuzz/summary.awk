# SPDX-License-Identifier: BSD-3-Clause
# summary.awk: one line of a libFuzzer log: executions, seconds, what is covered, the corpus.
/cov:/ {
    for (i = 1; i < NF; i++)
        if ($i ~ /^(cov|ft|corp):$/)
            value[$i] = $(i + 1)
    if ($2 == "INITED")
        seeds = value["cov:"]
}
/^Done / { executions = $2; seconds = $5 }
/^stat::peak_rss_mb/ { memory = $2 }
END {
    split(value["corp:"], corpus, "/")
    printf "fuzz: %-10s %9d executions in %5d s (%d/s), edges %d (seeds: %d), features %d, corpus %d of %s, %d MiB\n",
        target, executions, seconds, executions / (seconds ? seconds : 1), value["cov:"], seeds,
        value["ft:"], corpus[1], corpus[2], memory
}
