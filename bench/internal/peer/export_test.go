package peer

import "net/http"

// Mount adds the addresses of a peer to a mux.
func Mount(name string, mux *http.ServeMux) error { return peers[name].mount(mux) }
