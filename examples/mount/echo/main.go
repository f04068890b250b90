// Command echo mounts a manager in an Echo router.
package main

import (
	"log"
	"net/http"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/examples/mount/whoami"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// requireUser stands for the program's own authentication.
func requireUser(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		user := c.Request().Header.Get("X-User")
		if user == "" {
			return echo.NewHTTPError(http.StatusUnauthorized, "sign in first")
		}
		c.Set("user", user)
		return next(c)
	}
}

func newRouter(sockets *finch.SocketManager) http.Handler {
	// region mount
	e := echo.New()
	e.Use(middleware.Recover())
	e.GET("/ws", echo.WrapHandler(sockets))
	e.GET("/rooms/:room", func(c echo.Context) error {
		sockets.Upgrade(c.Response(), c.Request(), finch.WithIdentity(finch.Identity{ // an error has been answered already
			User:   c.Get("user").(string),
			Values: map[string]any{"room": c.Param("room")},
		}))
		return nil
	}, requireUser)
	// endregion
	return e
}

func main() { log.Fatal(http.ListenAndServe("localhost:3000", newRouter(whoami.New()))) }
