package protocol_test

import (
	"errors"
	"fmt"

	"github.com/finch-go/finch/protocol"
)

func ExampleAppend() {
	data, err := protocol.Marshal(map[string]int{"clients": 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	text := protocol.Append(nil, &protocol.Envelope{
		Path: "counts", Status: protocol.StatusOK, Timestamp: 1767225600000, Data: data,
	})
	fmt.Printf("%s\n", text)
	// Output: {"path":"counts","status":200,"timestamp":1767225600000,"data":{"clients":3}}
}

func ExampleParse() {
	for _, text := range []string{`{"path":"chat.say","id":7,"data":"سلام"}`, `{"data":1,"id":8}`, `سلام`} {
		e, err := protocol.Parse([]byte(text), protocol.ParseOptions{})
		var bad *protocol.ParseError
		switch {
		case errors.Is(err, protocol.ErrNotEnvelope):
			fmt.Println("the app's own text")
		case errors.As(err, &bad):
			fmt.Printf("answer %v with %d %s: %s\n", bad.ID, bad.Status, bad.Code, bad.Message)
		default:
			fmt.Printf("%s asks as %v: %s\n", e.Path, e.ID, e.Data)
		}
	}
	// Output:
	// chat.say asks as 7: "سلام"
	// answer 8 with 400 no_path: path is missing
	// the app's own text
}

func ExampleAppendBinary() {
	frame := protocol.AppendBinary(nil, &protocol.Envelope{Path: "photo"}, []byte{0x89, 'P', 'N', 'G'})
	fmt.Printf("%x\n", frame)
	e, payload, err := protocol.ParseBinary(frame, protocol.ParseOptions{})
	fmt.Printf("%s %q %v\n", e.Path, payload, err)
	// Output:
	// 000000107b2270617468223a2270686f746f227d89504e47
	// photo "\x89PNG" <nil>
}

func ExampleID() {
	waiting := map[protocol.ID]string{protocol.IntID(1): "the first question"}
	e, err := protocol.Parse([]byte(`{"reply":1,"data":true}`), protocol.ParseOptions{})
	fmt.Println(waiting[e.Reply], err)
	// Output: the first question <nil>
}
