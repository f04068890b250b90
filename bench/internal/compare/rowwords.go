package compare

// rowWords are a row in one language.
type rowWords struct {
	title string
	what  string // the figure
	how   string // it is measured; {sockets} is their number
}

var englishRows = map[string]rowWords{
	"idle": {
		"Idle socket", "Memory of the server for each socket",
		"{sockets} sockets with a browser's headers that never spoke; resident memory of the process after it was told to free what it can, less what it was before the first socket",
	},
	"spoken": {
		"Idle socket that has spoken", "Memory of the server for each socket",
		"as above, at the address that sends back, after each of {sockets} sockets had sent 1 KB and a ping",
	},
	"idle-tls": {
		"Idle socket under TLS", "Memory of the server for each socket",
		"{sockets} sockets under TLS 1.3 with a browser's headers that never spoke",
	},
	"idle-rooms": {
		"Idle socket in three rooms", "Memory of the server for each socket",
		"{sockets} sockets with a browser's headers that never spoke, each in three rooms of ten that keep history and say who is in them; the rooms are part of it",
	},
	"echo-1": {
		"Echo, 1 in flight", "CPU of the server for each message",
		"{sockets} sockets, 128 bytes, each socket sends when its last message is back",
	},
	"echo-16": {
		"Echo, 16 in flight", "CPU of the server for each message",
		"{sockets} sockets, 128 bytes, each socket has 16 messages under way",
	},
	"fanout-1": {
		"Fan-out, 1 in flight", "CPU of the server for each delivery",
		"{sockets} members, 128 bytes, the next message is sent when all have had the last",
	},
	"fanout-16": {
		"Fan-out, 16 in flight", "CPU of the server for each delivery",
		"{sockets} members, 128 bytes, 16 of them send, each when all have had its last message",
	},
	"handshake": {
		"Handshake", "CPU of the server for each handshake",
		"{sockets} sockets with a browser's headers, 64 handshakes under way at a time",
	},
	"room-16": {
		"A room, 16 in flight", "CPU of the server for each delivery",
		"{sockets} members of one room, 128 bytes, 16 of them send to it",
	},
	"publish-16": {
		"A room that records, 16 in flight", "CPU of the server for each delivery",
		"as above, but each message is recorded, with a position, and can be recovered",
	},
	"room-10": {
		"Growth: 10 members", "CPU of the server for each delivery",
		"{sockets} members of one room, 128 bytes, 1 in flight",
	},
	"room-15000": {
		"Growth: 15,000 members", "CPU of the server for each delivery",
		"{sockets} members of one room, 128 bytes, 1 in flight",
	},
	"rooms-100": {
		"Growth: 100 rooms", "CPU of the server for each delivery",
		"{sockets} sockets in 100 rooms of 10, 128 bytes, 1 in flight in each room",
	},
	"rooms-1000": {
		"Growth: 1,000 rooms", "CPU of the server for each delivery",
		"{sockets} sockets in 1,000 rooms of 10, 128 bytes, 1 in flight in each room",
	},
	"fanout-15000": {
		"Fan-out to 15,000", "CPU of the server for each delivery",
		"{sockets} members, 128 bytes, 16 of them send",
	},
}
