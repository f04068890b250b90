package finch

// Controller is embedded by a program's own controllers that want their App
// at hand. It holds nothing of a request: one controller serves many at once.
type Controller struct{ App *App }
