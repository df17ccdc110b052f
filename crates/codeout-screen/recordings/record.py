#!/usr/bin/env python3
"""Records what real programs write to their terminal: `record.py [NAME...]`, or all.

Needs Linux, root (each program sees no process but its own, and a host of no name) and the
programs themselves; one that is not installed is passed over. Debian has vim less htop tmux fzf
vttest man-db mc nano dialog btop, PyPI textual and rich, npm the agents. Every recording starts in
a terminal that was just opened.
"""

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import time

FOLDER = os.path.dirname(os.path.abspath(__file__))
HOME = "/tmp/codeout-recording"
MOST_BYTES = 200 * 1024
# A program has answered a key when it was quiet for so long; it gets no longer than the second.
QUIET, PATIENCE = 0.35, 4.0
UP, DOWN, RIGHT, LEFT = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D"
DEMOS = ["python3", os.path.join(FOLDER, "demos.py")]

# A terminal's answers, without which some programs do not start.
ANSWERS = {
    b"\x1b[6n": b"\x1b[1;1R",
    b"\x1b[c": b"\x1b[?62;22c",
    b"\x1b[>c": b"\x1b[>0;276;0c",
    b"\x1b[?u": b"\x1b[?0u",
    b"\x1b[>0q": b"\x1bP>|xterm.js\x1b\\",
    b"\x1b]11;?\x07": b"\x1b]11;rgb:0000/0000/0000\x1b\\",
    b"\x1b]11;?\x1b\\": b"\x1b]11;rgb:0000/0000/0000\x1b\\",
    b"\x1b]10;?\x1b\\": b"\x1b]10;rgb:ffff/ffff/ffff\x1b\\",
}


def shell(script):
    return ["bash", "--norc", "--noprofile", "-c", script]


# The first line is spoilt by the answer to a question that it never reads.
VTTEST_MOVES = ["\r", "1\r"] + ["\r"] * 7 + ["2\r"] + ["\r"] * 16
VTTEST_SETS = ["\r", "3\r", "8\r"] + ["\r"] * 2 + ["9\r"] + ["\r"] * 4 + ["0\r"]
VTTEST_INSERT = ["\r", "8\r"] + ["\r"] * 14 + ["0\r"]
TMUX = ["tmux", "-u", "-f", HOME + "/tmux.conf", "-S", HOME + "/tmux.sock", "new", "bash --norc"]

# Name: size, program, keys; a number among the keys waits for so many seconds.
RECORDINGS = {
    "vim": (80, 24, ["vim", "-N", "-c", "syntax on | set number hlsearch", "sample.c"], [
        "50G", "/case\r", "nn", "zz", "ggO/* a comment */\x1b", "yyp3p", "VGd", "u", "\x06\x06\x02",
        ":vsplit\r", ":split sample.py\r", "\x17w", "G", "V5k", ">", "10iab \x1b", "\x17=",
        ":set list\r", "ggqaq", "\x16" + "jjll" + "c漢字\x1b", ":%s/int/long/g\r", ":only\r",
        ":set nowrap\r", "30zl", "\x0c", ":q!\r", ":qa!\r"]),
    "less": (80, 24, ["less", "-R", "big.txt"], [
        " ", " ", "b", "d", "u", "j" * 5, "k" * 3, "/line 4.7\r", "n", "n", "N", "G", "k" * 4, "g",
        "50%", "-S\r", RIGHT, LEFT, "&7\r", "h", "q", "q"]),
    "man": (80, 24, ["man", "--pager=less", "ls"], [" ", " ", "b", "/sort\r", "n", "G", "q"]),
    "htop": (100, 30, ["htop", "-d", "5"], [1.5, DOWN, DOWN, "t", "H", "\x1bOQ", 0.6, "\x1b",
        "S", 0.6, "\x1b", "u", 0.6, "\x1b", 0.6, "q"]),
    "btop": (100, 30, ["btop", "--utf-force", "-p", "1"], [1.2, "m", 0.6, "\x1b", 0.6, "q"]),
    "tmux": (100, 30, TMUX, [
        "seq 60; printf '\\e[31mred\\e[m\\n'\r", "\x02%", "python3 demos.py progress\r", "\x02\"",
        "less big.txt\r", " ", "\x02o", "ls --color=always tree\r", "\x02z", "\x02z", "\x02[",
        "\x1b[5~", UP * 3, "q", "\x02c", "vim sample.c\r", ":q\r", "\x02n", "\x02w", 0.5, "q",
        "\x02:kill-server\r"]),
    "fzf": (80, 24, shell("seq 3000 | sed 's/$/ line of text 中文/' | fzf --multi --border"), [
        "1", "2", UP, UP, "\t", "\t", "\x7f", "' 7", DOWN, "\x15", "zzz", "\x17", "9", "\r"]),
    "fzf-inline": (80, 24, shell("seq 9; ls tree | fzf --height=40% --reverse --ansi"), [
        "l", "i", DOWN, "\x7f", "s", "\r"]),
    "mc": (80, 24, ["mc", "-u", "tree", "."], [
        DOWN * 3, "\t", DOWN * 2, "\x1b9", 0.6, "\r", "\x1b\x1b", 0.6, "\r", "\x1b5", 0.6,
        "\x1b\x1b", 0.6, "\x1b0", 0.6, "\r"]),
    "nano": (80, 24, ["nano", "sample.py"], [
        "# text 漢字\r", "\x16", "\x16", "\x19", "\x17def\r", "\x0b\x0b", "\x15", "\x07", "\x18",
        "\x18", "n"]),
    "dialog": (80, 24, shell(
        "dialog --checklist Pick 15 50 8 a one on b two off c three off; "
        "for i in 10 50 90; do echo $i; done | dialog --gauge Wait 8 40; "
        "dialog --calendar Day 5 40 1 1 2030; dialog --textbox big.txt 20 70"), [
        DOWN, " ", "\r", 0.5, RIGHT, DOWN, "\r", DOWN * 3, "\r"]),
    "vttest-movements": (80, 24, ["vttest", "24x80.80"], VTTEST_MOVES + ["0\r"]),
    "vttest-sets": (80, 24, ["vttest", "24x80.80"], VTTEST_SETS + ["0\r"]),
    "vttest-insert": (80, 24, ["vttest", "24x80.80"], VTTEST_INSERT + ["0\r"]),
    "shell": (80, 24, ["bash", "--norc", "--noprofile", "-i"], [
        "ls -l --color=always tree\r", "ls --color tree\r", "echo one t\x7f\x7ftwo three",
        "\x01" + "# " + "\x05\x17" + "long " * 25, "\x12seq\x07", "\x03", "seq 300\r", "\x0c",
        "printf '\\e[3J'; git --no-pager diff --no-index --color sample.c sample.py\r", "clear\r",
        "reset -Q\r", "tput smcup; echo alternate; tput rmcup\r", "printf '%200s|\\n' x\r",
        "seq 150\r", "exit\r"]),
    "progress": (80, 24, DEMOS + ["progress"], []),
    "unicode": (80, 24, DEMOS + ["unicode"], []),
    "attributes": (80, 24, DEMOS + ["attributes"], []),
    "agent": (100, 30, DEMOS + ["agent"], []),
    "textual": (100, 30, ["python3", "-m", "textual"], [
        2.0, "\t", DOWN * 6, "\x10", 0.5, "th", "\x1b", "\x11", 1.0]),
    "rich": (80, 24, ["python3", "-m", "rich"], []),
    "claude": (100, 30, ["claude"], [6.0, DOWN, UP, "\r", 2.0, DOWN, "\r", 2.0, "\x03", "\x03"]),
    "codex": (100, 30, ["codex"], [4.0, DOWN, DOWN, "\r", "\x1b", 1.0, "\x03", "\x03"]),
    "gemini": (100, 30, ["gemini"], [8.0, DOWN, DOWN, "\r", 2.0, "/he", "\x1b", "\x03", "\x03"]),
}


SAMPLE = """/* Part {0}. */
static int part{0}(int value)
{{
\tswitch (value) {{
\tcase {0}: return printf("%d: ünï\\n", value);
\t}}
\treturn 0;
}}

"""


def prepare():
    """A home that says nothing of this machine."""
    shutil.rmtree(HOME, ignore_errors=True)
    os.makedirs(HOME)
    with open(os.path.join(HOME, "big.txt"), "w") as big:
        for number in range(1, 2001):
            more = " and more text, so that some are longer" * (number % 5)
            big.write(f"line {number}{more}\n")
    with open(os.path.join(HOME, "tmux.conf"), "w") as configuration:
        configuration.write("set -g status-right 'right'\nset -g default-terminal tmux-256color\n")
        configuration.write("set -g automatic-rename off\nset -s escape-time 0\n")
    os.makedirs(os.path.join(HOME, ".config/btop"))
    with open(os.path.join(HOME, ".config/btop/btop.conf"), "w") as configuration:
        configuration.write('custom_cpu_name = "processor"\n')
    with open(os.path.join(HOME, "sample.c"), "w") as sample:
        sample.write("#include <stdio.h>\n\n")
        for number in range(30):
            sample.write(SAMPLE.format(number))
    for number in range(60):
        end = (".tar", "", ".png", ".sh")[number % 4]
        path = os.path.join(HOME, "tree", f"part-{number * 37}{end}")
        os.makedirs(path if number % 4 == 1 else os.path.dirname(path), exist_ok=True)
        if number % 4 != 1:
            open(path, "w").close()
            os.chmod(path, 0o755 if number % 4 == 3 else 0o644)
            os.utime(path, (2e9, 2e9))
    for name in ("demos.py", "sample.py"):
        shutil.copy(os.path.join(FOLDER, "demos.py"), os.path.join(HOME, name))


def environment(columns, rows):
    return {
        "HOME": HOME, "PATH": os.environ["PATH"],
        "TERM": "xterm-256color", "COLORTERM": "truecolor",
        "LANG": "C.UTF-8", "USER": "user", "LOGNAME": "user", "PS1": "$ ", "SHELL": "/bin/sh",
        "COLUMNS": str(columns), "LINES": str(rows), "PYTHONDONTWRITEBYTECODE": "1",
        "HISTFILE": "/dev/null", "LESSHISTFILE": "-", "EXINIT": "set noswapfile viminfo=",
    }


def spawn(columns, rows, program):
    """Starts the program where it is alone; gives its process and our end of its terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    alone = ["unshare", "--uts", "--pid", "--mount-proc", "--fork", "--kill-child", "sh", "-c",
             'hostname host; exec "$@"', "sh", *program]

    def take_terminal():
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        alone, stdin=theirs, stdout=theirs, stderr=theirs, cwd=HOME,
        env=environment(columns, rows), preexec_fn=take_terminal)
    os.close(theirs)
    return process, ours


def listen(ours, recorded, quiet, patience):
    """Records until the program has been quiet; answers its questions. False when it has ended."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if not select.select([ours], [], [], quiet)[0]:
            return True
        try:
            output = os.read(ours, 65536)
        except OSError:
            return False
        if not output:
            return False
        recorded += output
        for question, answer in ANSWERS.items():
            if question in output:
                os.write(ours, answer)
    return True


def play(columns, rows, program, keys):
    recorded = bytearray()
    process, ours = spawn(columns, rows, program)
    is_running = listen(ours, recorded, 1.0, PATIENCE)
    for key in keys:
        if not is_running:
            break
        if isinstance(key, float):
            is_running = listen(ours, recorded, key, key)
        else:
            os.write(ours, key.encode())
            is_running = listen(ours, recorded, QUIET, PATIENCE)
    if is_running:
        listen(ours, recorded, 1.0, PATIENCE)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    os.close(ours)
    return bytes(recorded[:MOST_BYTES])


def main():
    names = sys.argv[1:] or RECORDINGS
    # What must not be in a recording: it would tell of the machine.
    words = [socket.gethostname(), os.path.expanduser("~"), FOLDER]
    either = "|".join(map(re.escape, words))
    telling = re.compile(rf"(?<!\w)(?:{either})(?!\w)".encode())
    for name in names:
        columns, rows, program, keys = RECORDINGS[name]
        if shutil.which(program[0]) is None:
            print(f"{name}: {program[0]} is not installed")
            continue
        prepare()
        recorded = play(columns, rows, program, keys)
        told = telling.search(recorded)
        if told:
            print(f"{name}: not kept, it contains {told[0].decode()}")
            continue
        with open(os.path.join(FOLDER, f"{name}-{columns}x{rows}.bin"), "wb") as file:
            file.write(recorded)
        print(f"{name}: {len(recorded)} bytes")
    shutil.rmtree(HOME, ignore_errors=True)


if __name__ == "__main__":
    main()
