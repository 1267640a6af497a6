//go:build !linux

package heapsnap

func adviseHugePages[T any](column []T) {}
