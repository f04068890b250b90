module github.com/finch-go/finch/e2e

go 1.26

ignore ./node_modules

require github.com/coder/websocket v1.8.15
