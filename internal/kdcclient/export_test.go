package kdcclient

// MemorySize is how many servers are remembered.
func MemorySize(m *Memory) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.marks)
}
