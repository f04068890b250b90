module github.com/finch-go/finch/cmd/finch

go 1.26

require (
	github.com/HdrHistogram/hdrhistogram-go v1.4.0
	github.com/finch-go/finch v0.0.0
	github.com/spf13/cobra v1.10.2
)

require (
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/spf13/pflag v1.0.9 // indirect
)

replace github.com/finch-go/finch => ../..
