// Command quickstart is the program at the top of the demo's page: a whole
// chat server in fifteen lines. Its page is whatever lies in the folder web.
package main
