module github.com/finch-go/finch

go 1.26

require github.com/klauspost/compress v1.20.3
