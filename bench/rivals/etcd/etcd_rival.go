// etcd_rival: etcd's write-ahead log: each group is one Save of all its entries, which syncs before it returns.
//
// The loop, the command line and the JSON are those of rival.c, in etcd's own language: see rival.h for what is measured.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/etcd/raft/raftpb"
	"go.etcd.io/etcd/version"
	"go.etcd.io/etcd/wal"
	"go.uber.org/zap"
)

const (
	tmpfsMagic = 0x01021994
	ramfsMagic = 0x858458f6
	poolBytes  = 1 << 16
	poolStep   = 64
	timed      = 16 // entries that share a reading of the clock
	gib        = 1 << 30
	settings   = "Save of all entries of a group at once, segments of 64 MB preallocated ahead"
	advice     = "etcd wal/doc.go and wal.go: SegmentSizeBytes, in general the default should be used"
)

type device struct {
	Writes     uint64 `json:"writes"`
	WriteBytes uint64 `json:"write_bytes"`
	Flushes    uint64 `json:"flushes"`
	WriteCache *bool  `json:"write_cache"`
	FUA        *bool  `json:"fua"`
}

type sample struct {
	ns    int64
	count int
}

var place string // the directory that is ours

func leave() {
	if place != "" {
		if err := os.RemoveAll(place); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
}

func refuse(what string, err error) {
	fmt.Fprintf(os.Stderr, "etcd: %s: %v\n", what, err)
	leave()
	os.Exit(1)
}

func wrong(what, why string) {
	fmt.Fprintf(os.Stderr, "rival_etcd: %s: %s\n", what, why)
	os.Exit(2)
}

func deviceNumber() (uint64, uint64) {
	var info syscall.Stat_t
	if err := syscall.Stat(place, &info); err != nil {
		refuse(place, err)
	}
	dev := uint64(info.Dev)
	return dev>>8&0xfff | dev>>32&^uint64(0xfff), dev&0xff | dev>>12&^uint64(0xff)
}

func readDevice() *device {
	major, minor := deviceNumber()
	file, err := os.Open("/proc/diskstats")
	if err != nil {
		return nil
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 19 || fields[0] != fmt.Sprint(major) || fields[1] != fmt.Sprint(minor) {
			continue
		}
		number := func(i int) uint64 { n, _ := strconv.ParseUint(fields[i], 10, 64); return n }
		return &device{Writes: number(7), WriteBytes: number(9) * 512, Flushes: number(18)}
	}
	return nil
}

// A word of the device's queue, compared with what means true; nil where there is none.
func queueWord(name, yes string) *bool {
	major, minor := deviceNumber()
	for _, above := range []string{"", "../"} { // a partition has its disk's
		text, err := os.ReadFile(fmt.Sprintf("/sys/dev/block/%d:%d/%squeue/%s", major, minor, above, name))
		if err == nil {
			is := strings.TrimSpace(string(text)) == yes
			return &is
		}
	}
	return nil
}

func claim(parent string, seconds float64) {
	var kind syscall.Statfs_t
	if err := syscall.Statfs(parent, &kind); err != nil {
		wrong(parent, err.Error())
	}
	if kind.Type == tmpfsMagic || kind.Type == ramfsMagic {
		wrong(parent, "lies in memory, where nothing is durable: choose a directory on a disk")
	}
	free, wanted := float64(kind.Bavail)*float64(kind.Bsize)/gib, 1+seconds/2
	if free < wanted {
		wrong(parent, fmt.Sprintf("%.1f GiB are free, such a run may take %.1f", free, wanted))
	}
	name := filepath.Join(parent, fmt.Sprintf("rival-etcd-%d", os.Getpid()))
	if err := os.Mkdir(name, 0700); err != nil {
		wrong(name, err.Error())
	}
	place = name
}

func cpuSeconds() float64 {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		refuse("getrusage", err)
	}
	return float64(use.Utime.Sec+use.Stime.Sec) + float64(use.Utime.Usec+use.Stime.Usec)*1e-6
}

func quantile(sorted []sample, total int, share float64) float64 {
	seen := 0
	for _, s := range sorted {
		if seen += s.count; float64(seen) >= share*float64(total) {
			return float64(s.ns) * 1e-3
		}
	}
	return 0
}

// A closed loop: the window is filled batch by batch, then saved.
type load struct {
	log                     *wal.WAL
	pool                    []byte
	bytes, window, batch    int
	last                    uint64
	entries                 []raftpb.Entry
	begun                   []time.Time // of each batch in `entries`
	samples                 []sample
	total, commits, longest int64
}

func (l *load) fill() {
	l.entries, l.begun = l.entries[:0], l.begun[:0]
	now, untimed := time.Now(), 0
	for len(l.entries)+l.batch <= l.window {
		if untimed >= timed {
			now, untimed = time.Now(), 0
		}
		for i := 0; i < l.batch; i++ {
			l.last++
			at := int(l.last * 37 % (poolBytes / poolStep) * poolStep)
			l.entries = append(l.entries, raftpb.Entry{Term: 1, Index: l.last, Data: l.pool[at : at+l.bytes]})
		}
		l.begun = append(l.begun, now)
		untimed += l.batch
	}
}

func (l *load) collect() time.Time {
	if err := l.log.Save(raftpb.HardState{}, l.entries); err != nil {
		refuse("Save", err)
	}
	now := time.Now()
	for _, begun := range l.begun {
		ns := now.Sub(begun).Nanoseconds()
		if len(l.samples) > 0 && l.samples[len(l.samples)-1].ns == ns {
			l.samples[len(l.samples)-1].count += l.batch
		} else {
			l.samples = append(l.samples, sample{ns, l.batch})
		}
		if ns > l.longest {
			l.longest = ns
		}
	}
	l.total += int64(len(l.entries))
	l.commits++
	return now
}

func (l *load) runFor(seconds float64, stopped chan os.Signal) time.Duration {
	begun := time.Now()
	until := begun.Add(time.Duration(seconds * 1e9))
	for {
		l.fill()
		now := l.collect()
		select {
		case <-stopped:
			l.log.Close() // it makes files ahead: they would come back
			leave()
			os.Exit(1)
		default:
		}
		if !now.Before(until) {
			return now.Sub(begun)
		}
	}
}

func main() {
	dir := flag.String("dir", ".", "where the log is made, and removed")
	entryBytes := flag.Int("entry-bytes", 256, "bytes of one entry")
	window := flag.Int("window", 1024, "entries outstanding")
	batch := flag.Int("batch", 16, "entries handed over at a time")
	seconds := flag.Float64("seconds", 2, "of the measurement")
	warm := flag.Float64("warm", 0.5, "before it")
	variant := flag.String("variant", "default", "there is one")
	asJSON := flag.Bool("json", false, "one JSON object")
	flag.Parse()
	if *variant != "default" {
		wrong(*variant, "no such variant; --help tells what there is")
	}
	if *entryBytes < 1 || *batch < 1 || *batch > *window || *window > 1<<16 || *seconds < 0 || *warm < 0 ||
		flag.NArg() > 0 {
		wrong("options", "a number is out of range, or a word too many")
	}
	claim(*dir, *seconds+*warm)
	stopped := make(chan os.Signal, 1)
	signal.Notify(stopped, syscall.SIGINT, syscall.SIGTERM)
	log, err := wal.Create(zap.NewNop(), filepath.Join(place, "wal"), nil)
	if err != nil {
		refuse("Create", err)
	}
	l := &load{log: log, pool: make([]byte, poolBytes+*entryBytes), bytes: *entryBytes, window: *window, batch: *batch}
	for i, state := 0, uint64(1); i < len(l.pool); i++ {
		state += 0x9E3779B97F4A7C15
		value := (state ^ state>>30) * 0xBF58476D1CE4E5B9
		value = (value ^ value>>27) * 0x94D049BB133111EB
		l.pool[i] = byte(value >> 56)
	}
	l.runFor(*warm, stopped)
	l.samples, l.total, l.commits, l.longest = l.samples[:0], 0, 0, 0
	before, cpu := readDevice(), cpuSeconds()
	took := l.runFor(*seconds, stopped).Seconds()
	cpu = cpuSeconds() - cpu
	after := readDevice()
	var change *device
	if before != nil && after != nil {
		change = &device{after.Writes - before.Writes, after.WriteBytes - before.WriteBytes,
			after.Flushes - before.Flushes, queueWord("write_cache", "write back"), queueWord("fua", "1")}
	}
	if err := log.Close(); err != nil {
		refuse("Close", err)
	}
	leave()
	sort.Slice(l.samples, func(i, j int) bool { return l.samples[i].ns < l.samples[j].ns })
	rate := float64(l.total) / took
	at := func(share float64) float64 { return quantile(l.samples, int(l.total), share) }
	if !*asJSON {
		fmt.Printf("etcd %s, %s (%s)\n%.0f entries/s, p50 %.0f us, p99 %.0f us, %.1f entries a commit\n",
			version.Version, settings, advice, rate, at(0.5), at(0.99), float64(l.total)/float64(l.commits))
		return
	}
	text, err := json.Marshal(map[string]interface{}{
		"rival": "etcd", "version": version.Version, "variant": *variant, "settings": settings, "advice": advice,
		"entry_bytes": *entryBytes, "window": *window, "batch": *batch, "seconds": took, "entries": l.total,
		"commits": l.commits, "entries_per_second": rate, "payload_bytes_per_second": rate * float64(*entryBytes),
		"cpu_seconds": cpu, "device": change,
		"latency_us": map[string]float64{"p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "p999": at(0.999),
			"max": float64(l.longest) * 1e-3}})
	if err != nil {
		refuse("json", err)
	}
	fmt.Println(string(text))
}
