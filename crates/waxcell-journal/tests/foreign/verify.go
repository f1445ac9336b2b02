// Checks a log with golang.org/x/mod/sumdb: `verify DIR VKEY`.
//
// It opens the checkpoint with package note, and compares every entry of every bundle with the tree through
// tlog.TileHashReader, which checks each tile that it reads against the root. What is written here finds the files, and
// takes bundles and the three lines of a checkpoint apart; the rest is x/mod's.
package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8
const width = 1 << height

func main() {
	if len(os.Args) != 3 {
		fmt.Println("FAIL usage: verify DIR VKEY")
		os.Exit(2)
	}
	size, err := verify(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Println("FAIL", err)
		os.Exit(1)
	}
	fmt.Println("OK", size)
}

func verify(dir, vkey string) (int64, error) {
	tree, err := open(dir, vkey)
	if err != nil {
		return 0, err
	}
	reader := tlog.TileHashReader(tree, tiles(dir))
	if tree.N == 0 {
		empty, err := tlog.TreeHash(0, reader)
		if err != nil || empty != tree.Hash {
			return 0, fmt.Errorf("the root of an empty log is another one")
		}
	}
	for first := int64(0); first < tree.N; first += width {
		path := tile(tlog.Tile{H: height, L: 0, N: first / width, W: int(min(width, tree.N-first))})
		path = filepath.Join(dir, strings.Replace(path, "tile/0/", "tile/entries/", 1))
		bundle, err := os.ReadFile(path)
		if err != nil {
			return 0, err
		}
		if err := entries(bundle, first, min(width, tree.N-first), reader); err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
	}
	return tree.N, nil
}

// open gives the tree of the checkpoint, which the key must have signed.
func open(dir, vkey string) (tlog.Tree, error) {
	var tree tlog.Tree
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tree, err
	}
	message, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return tree, err
	}
	opened, err := note.Open(message, note.VerifierList(verifier))
	if err != nil {
		return tree, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tree, fmt.Errorf("the checkpoint is not one of %s", verifier.Name())
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil || strconv.FormatInt(tree.N, 10) != lines[1] {
		return tree, fmt.Errorf("the size of the checkpoint is not a number")
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

// entries compares the entries of a bundle with the leaves of the tree from the first one on.
func entries(bundle []byte, first, count int64, reader tlog.HashReader) error {
	var indexes []int64
	var found []tlog.Hash
	for entry := int64(0); entry < count; entry++ {
		if len(bundle) < 2 || len(bundle)-2 < int(binary.BigEndian.Uint16(bundle)) {
			return fmt.Errorf("entry %d is cut", first+entry)
		}
		end := 2 + int(binary.BigEndian.Uint16(bundle))
		found = append(found, tlog.RecordHash(bundle[2:end]))
		indexes = append(indexes, tlog.StoredHashIndex(0, first+entry))
		bundle = bundle[end:]
	}
	if len(bundle) > 0 {
		return fmt.Errorf("something follows entry %d", first+count-1)
	}
	hashes, err := reader.ReadHashes(indexes)
	if err != nil {
		return err
	}
	for entry, hash := range hashes {
		if hash != found[entry] {
			return fmt.Errorf("entry %d", first+int64(entry))
		}
	}
	return nil
}

// tile gives the path of C2SP, in which the height is not written.
func tile(tile tlog.Tile) string {
	return strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
}

// tiles reads tiles from the directory.
type tiles string

func (dir tiles) Height() int { return height }

func (dir tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (dir tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, one := range wanted {
		data, err := os.ReadFile(filepath.Join(string(dir), tile(one)))
		if err != nil {
			return nil, err
		}
		if len(data) != one.W*tlog.HashSize {
			return nil, fmt.Errorf("%s has %d bytes", tile(one), len(data))
		}
		all = append(all, data)
	}
	return all, nil
}
