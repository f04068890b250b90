module github.com/finch-go/finch/examples/auth

go 1.26

require (
	github.com/finch-go/finch v0.0.0
	github.com/golang-jwt/jwt/v5 v5.3.1
)

require github.com/klauspost/compress v1.20.3 // indirect

replace github.com/finch-go/finch => ../..
