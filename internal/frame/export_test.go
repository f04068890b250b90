package frame

// HistoryCopied inflates payload and answers how many bytes of its window were
// copied to begin blocks behind those marked as the last.
func HistoryCopied(payload []byte) int {
	in := inflaters.New().(*inflating)
	in.inflate(payload, maxScratch)
	return in.copied
}
