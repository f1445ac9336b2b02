from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTES = ROOT / "data" / "notes"
OUT = ROOT / "out"
OUT.mkdir(exist_ok=True)

count = 0
for note in sorted(NOTES.glob("*.txt")):
    text = note.read_text(encoding="utf-8")
    (OUT / note.with_suffix(".md").name).write_text("# " + text, encoding="utf-8")
    count += 1
print(f"{count} notes")
