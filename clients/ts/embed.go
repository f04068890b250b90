// Package ts carries the client of Finch for browsers, so that a server can
// hand it out without a build of its own. It is not the client: that is
// written in TypeScript, in src, and its npm package is finch-client.
package ts

import _ "embed"

// Script is the client with rooms, recovery and presence as one minified
// ECMAScript module, built from the sources beside it (npm run build). It
// exports connect, FinchError, closeCode and closeCodes, and loads nothing. Do
// not change the bytes.
//
//go:embed dist/finch-client.js
var Script []byte

// Tabs is what gives all tabs of a browser one connection, as one minified
// ECMAScript module: it exports tabs, and is also the script of the shared
// worker, which it finds by its own address. Do not change the bytes.
//
//go:embed dist/finch-tabs.js
var Tabs []byte
