// Command controllers is a small web service of routes and controllers, whose
// pages hear of every change at once.
package main

import (
	"context"
	"crypto/subtle"
	"log"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/finch-go/finch"
)

// Task is something to do.
type Task struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

// region controller

// TaskController serves the tasks. It is shared by all requests: what it
// holds of its own needs a lock, and nothing of a request belongs in it.
type TaskController struct {
	finch.Controller

	mu    sync.Mutex
	tasks map[string]Task
}

// List answers all tasks.
func (c *TaskController) List(rq *finch.Request) error {
	c.mu.Lock()
	tasks := slices.SortedFunc(maps.Values(c.tasks), func(a, b Task) int { return strings.Compare(a.ID, b.ID) })
	c.mu.Unlock()
	return rq.RenderJSON(tasks)
}

// Show answers one task.
func (c *TaskController) Show(rq *finch.Request) error {
	c.mu.Lock()
	task, ok := c.tasks[rq.PathValue("id")]
	c.mu.Unlock()
	if !ok {
		return finch.Errorf(404, "no_task", "there is no task %s", rq.PathValue("id"))
	}
	return rq.RenderJSON(task)
}

// Store takes a task, and tells every page.
func (c *TaskController) Store(rq *finch.Request) error {
	var task Task
	if err := rq.DecodeJSON(&task); err != nil {
		return err
	}
	task.ID, task.URL = rq.PathValue("id"), c.App.URL("task", "id", rq.PathValue("id"))
	c.mu.Lock()
	c.tasks[task.ID] = task
	c.mu.Unlock()
	if err := c.App.SocketManager().SendToAll("task", task); err != nil {
		return err
	}
	return rq.RenderJSON(task)
}

// endregion

// region middleware

// requireKey lets through who knows the key.
func requireKey(key string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if subtle.ConstantTimeCompare([]byte(r.Header.Get("X-Key")), []byte(key)) != 1 {
				http.Error(w, "the key is missing or wrong", http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// endregion

func newApp(key string) *finch.App {
	// region routes
	app := finch.NewApp(nil)
	sockets := finch.NewSocketManager(&finch.SocketManagerOptions{App: app})
	tasks := &TaskController{Controller: finch.Controller{App: app}, tasks: map[string]Task{}}
	app.AddRoute(
		finch.Route{Key: "ws", Path: "/ws", Handler: sockets},
		finch.Route{Path: "/tasks", Index: tasks.List, Children: []finch.Route{
			{Key: "task", Path: "{id}", Index: tasks.Show},
			{Path: "{id}", Methods: []string{http.MethodPut}, Index: tasks.Store,
				Middleware: []func(http.Handler) http.Handler{requireKey(key)}},
		}},
	)
	// endregion
	return app
}

func main() {
	key := os.Getenv("TASKS_KEY")
	if key == "" {
		log.Fatal("set TASKS_KEY to the key that may change tasks")
	}
	if err := newApp(key).Start(context.Background()); err != nil {
		log.Fatal(err)
	}
}
