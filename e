/tmp/s/i-sklx/host/wide.skops: its ZIP comes to more bytes than a model has
Command exited with non-zero status 4
1.83 s 0.37 u 54700 kB
