package conn_test

import "github.com/finch-go/finch/internal/conn"

func init() {
	setups = append(setups, setup{name: "epoll over TCP", engine: conn.Auto, pair: tcpPair})
}
