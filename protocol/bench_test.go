package protocol_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/finch-go/finch/protocol"
)

var benchmarkTexts = []struct{ name, text string }{
	{"bare event", `{"path":"test"}`},
	{"chat line", `{"path":"chat.say","id":17,"data":{"room":"tehran","text":"سلام، حال شما چطور است؟ This is a line of chat."}}`},
	{"16 KB", `{"path":"save","data":{"list":[` + strings.Repeat(`{"x":12.5,"y":[1,2,3],"s":"some text of ordinary length"},`, 280) + `0]}}`},
}

func BenchmarkParse(b *testing.B) {
	for _, c := range benchmarkTexts {
		text := []byte(c.text)
		b.Run(c.name+"/finch", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := protocol.Parse(text, protocol.ParseOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"/encoding-json", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				var e struct {
					Path string
					ID   json.RawMessage
					Data json.RawMessage
				}
				if err := json.Unmarshal(text, &e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	e := protocol.Envelope{
		Path: "chat.line", Status: 200, Timestamp: 1767225600000, Room: "tehran", From: "sara",
		Data: json.RawMessage(`{"text":"سلام"}`),
	}
	buffer := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buffer = protocol.Append(buffer[:0], &e)
	}
}

func BenchmarkMarshal(b *testing.B) {
	type line struct {
		Room, Text string
		Members    int
	}
	v := line{"tehran", "سلام، حال شما چطور است؟ <b>", 12}
	b.Run("finch", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := protocol.Marshal(&v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(&v); err != nil {
				b.Fatal(err)
			}
		}
	})
}
