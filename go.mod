module github.com/finch-go/finch

go 1.26
