module github.com/finch-go/finch/chaos

go 1.26.0

replace (
	github.com/finch-go/finch => ..
	github.com/finch-go/finch/broker/nats => ../broker/nats
	github.com/finch-go/finch/broker/nats/embedded => ../broker/nats/embedded
)
