# SPDX-License-Identifier: BSD-3-Clause
"""Types on a terminal of 30 rows and 100 columns what a script says, and ends as the command does.

    typist.py COMMAND... <SCRIPT

Lines of the script: type TEXT (as in Python), await TEXT, size ROWS COLUMNS, modes, kill.  What was
shown is in the file `shown` then, with {no 'TEXT'} for what did not come.
"""
import ast, fcntl, os, pty, select, signal, struct, sys, termios, time
def size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
pid, fd = pty.fork()
if pid == 0:
    # The first size is there before the command begins.
    size(0, 30, 100)
    os.execvp(sys.argv[1], sys.argv[1:])
shown, place = b"", 0
def take(seconds):
    global shown
    if select.select([fd], [], [], seconds)[0]:
        try: data = os.read(fd, 65536)
        except OSError: data = b""
        shown += data
        return bool(data)
    return True
alive = True
for line in sys.stdin:
    word, _, rest = line.rstrip("\n").partition(" ")
    if word == "type":
        os.write(fd, ast.literal_eval("b'" + rest + "'"))
    elif word == "size":
        size(fd, *map(int, rest.split()))
        os.kill(pid, signal.SIGWINCH)
    elif word == "modes":
        mode = termios.tcgetattr(fd)[3]
        shown += b"{%s}" % (b"cooked" if mode & termios.ICANON else b"raw")
    elif word == "kill":
        os.kill(pid, signal.SIGKILL)
    elif word == "await":
        wanted, end = ast.literal_eval("b'" + rest + "'"), time.monotonic() + 100
        while wanted not in shown[place:]:
            if time.monotonic() > end or not (alive := take(0.5)):
                shown += b"{no '%s'}" % wanted
                break
        else:
            place = shown.index(wanted, place) + len(wanted)
# Who lives on, a keeper's child, say, may still have the terminal.
ended, status = 0, 0
while not ended:
    if not (alive and take(0.2)): time.sleep(0.05); alive = False
    ended, status = os.waitpid(pid, os.WNOHANG)
while alive and select.select([fd], [], [], 0.2)[0] and take(0): pass
open("shown", "wb").write(shown)
sys.exit(os.waitstatus_to_exitcode(status) % 256)
