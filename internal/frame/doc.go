// Package frame is the framing of RFC 6455 and the compression of RFC 7692:
// bytes in, bytes out.
//
// Append functions write frames, in the shape of the append built-in. A
// [Parser] reads the bytes of one peer, split anywhere, and returns whole
// messages and control frames; it checks everything that the RFC asks of the
// framing, text and close codes included, for a server and for a client.
//
// A compressed message comes out of the Parser as it travelled, for [Inflate]
// to be called where and when it suits; a [Deflater] makes them. [ParseOffers]
// and [Accept] are the server's side of the negotiation.
//
// The package reads from nothing and writes to nothing: it knows no
// connection, clock, goroutine, log or source of randomness. It does not
// answer pings and does not close; it says what came and with which code to
// fail.
//
// A server reads into a buffer that it may share between connections:
//
//	func (c *conn) received(b []byte) error {
//		for len(b) > 0 {
//			ev, n, err := c.parser.Next(&serverConfig, b)
//			if err != nil {
//				return err // a *frame.Error: its Code goes into the close frame
//			}
//			b = b[n:]
//			switch ev.Opcode {
//			case frame.Text, frame.Binary:
//				c.handle(ev) // ev.Payload dies with b unless ev.Owned
//			case frame.Ping:
//				c.out = frame.AppendFrame(c.out, frame.Pong, ev.Payload)
//			case frame.Close:
//				c.out = frame.AppendClose(c.out, ev.Code, "")
//			}
//		}
//		return nil
//	}
package frame
