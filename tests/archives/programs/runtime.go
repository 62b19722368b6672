package main

// Goroutines on several threads, garbage and its collection, a panic that is recovered, and the arguments
// of the process.

import "C"

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strings"
	"sync"
)

var failed = errors.New("failed")

/* A panic that is recovered, and becomes an error. */
func divide(a, b int) (result int, err error) {
	defer func() {
		if recover() != nil {
			err = failed
		}
	}()
	return a / b, nil
}

//export check
func check() C.int {
	if len(os.Args) == 0 || os.Args[0] == "" {
		return 1
	}
	/* Goroutines on several threads, channels, garbage and its collection. */
	squares := make(chan int)
	var group sync.WaitGroup
	for i := 0; i < 100; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			squares <- i * i
		}(i)
	}
	go func() { group.Wait(); close(squares) }()
	sum := 0
	for square := range squares {
		sum += square
	}
	if sum != 328350 {
		return 2
	}
	words := map[string][]byte{}
	for i := 0; i < 10000; i++ {
		words[fmt.Sprint(i%100)] = make([]byte, 10000)
	}
	runtime.GC()
	names := make([]string, 0)
	for name := range words {
		names = append(names, name)
	}
	sort.Strings(names)
	if strings.Join(names[:3], ",") != "0,1,10" {
		return 3
	}
	if _, err := divide(1, 0); !errors.Is(err, failed) {
		return 4
	}
	return 42
}

func main() {}
