module github.com/finch-go/finch/cmd/finch

go 1.26

require github.com/finch-go/finch v0.0.0

replace github.com/finch-go/finch => ../..
