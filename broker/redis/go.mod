module github.com/finch-go/finch/broker/redis

go 1.26.0

require (
	github.com/finch-go/finch v0.0.0
	github.com/redis/rueidis v1.0.79
)

require (
	github.com/klauspost/compress v1.20.3 // indirect
	golang.org/x/sys v0.47.0 // indirect
)

replace github.com/finch-go/finch => ../..
