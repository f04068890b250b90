// Command gin mounts a manager in a gin engine.
package main

import (
	"log"
	"net/http"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/examples/mount/whoami"
	"github.com/gin-gonic/gin"
)

// requireUser stands for the program's own authentication.
func requireUser(c *gin.Context) {
	user := c.GetHeader("X-User")
	if user == "" {
		c.AbortWithStatusJSON(http.StatusUnauthorized, gin.H{"error": "sign in first"})
		return
	}
	c.Set("user", user)
}

func newRouter(sockets *finch.SocketManager) http.Handler {
	// region mount
	r := gin.New()
	r.Use(gin.Recovery())
	r.GET("/ws", gin.WrapH(sockets))
	r.GET("/rooms/:room", requireUser, func(c *gin.Context) {
		err := sockets.Upgrade(c.Writer, c.Request, finch.WithIdentity(finch.Identity{
			User:   c.GetString("user"),
			Values: map[string]any{"room": c.Param("room")},
		}))
		if err != nil {
			c.Error(err) // for gin's log; it has been answered already
		}
	})
	// endregion
	return r
}

func main() {
	gin.SetMode(gin.ReleaseMode)
	log.Fatal(http.ListenAndServe("localhost:3000", newRouter(whoami.New())))
}
