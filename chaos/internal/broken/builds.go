package broken

// Builds are what a run has to find, the whole product first, which it must not.
var Builds = []Build{
	{Name: "nothing is missing", Args: []string{"-broker", "nats", "-for", "12s"}},
	{
		// A last message that was lost on its way leaves no gap.
		Name: "heads are not checked",
		Args: []string{"-broker", "redis", "-for", "10s", "-long"},
		Edits: []Edit{{
			File: "internal/feed/check.go",
			Old:  "\t\t\tr.checkAll()\n",
			New:  "",
		}},
	},
	{
		// After a rollback another message stands at the offset that a reader knows.
		Name: "tags are all the same",
		Args: []string{"-broker", "embedded", "-for", "15s", "-long"},
		Edits: []Edit{{
			File: "broker/nats/message.go",
			Old:  "if tag := rand.Uint64(); tag != 0 {",
			New:  "if tag := min(rand.Uint64(), 1); tag != 0 {",
		}},
	},
	{
		// The leader knows of a subscription a while after it was made.
		Name: "a room is opened without the barrier",
		Args: []string{"-broker", "nats", "-for", "4s"},
		Edits: []Edit{{
			File: "broker/nats/head.go",
			Old:  "\tif err := b.barrier(ctx, s); err != nil {\n\t\treturn err\n\t}\n",
			New:  "",
		}},
	},
	{
		Name: "publish keys are not looked at (NATS)",
		Args: []string{"-broker", "nats", "-for", "12s"},
		Edits: []Edit{{
			File: "broker/nats/publish.go",
			Old:  "\t\tm.Header[headerMsgID] = []string{keyID(room, o.Publisher, o.Key)}\n",
			New:  "",
		}},
	},
	{
		Name: "publish keys are not looked at (Redis)",
		Args: []string{"-broker", "redis", "-for", "12s"},
		Edits: []Edit{{
			File: "broker/redis/scripts/publish.lua",
			Old:  "if KEYS[3] then\n\tlocal first",
			New:  "if false then\n\tlocal first",
		}},
	},
	{
		// A session that another node, or a ticket, brings back.
		Name: "rooms of the server are lost on coming back",
		Args: []string{"-broker", "nats", "-for", "8s"},
		Edits: []Edit{{
			File: "resume.go",
			Old:  "\t\tses.socket = s\n\t\tfor _, room := range r.granted {",
			New:  "\t\tses.socket = s\n\t\tfor _, room := range r.granted[:0] {",
		}},
	},
}
