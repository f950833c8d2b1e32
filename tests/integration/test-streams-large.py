# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A volume of 1 GiB goes down and up, full and sparse; the daemon stays small."""
import os

import harness
from harness import run

SIZE = 1 << 30
PIECE = 1 << 20
MAX_GROWTH_KIB = 8 * 1024


class Large(harness.TestCase):
    @property
    def images(self):
        return f"{self.reeved.root}/lib/images"

    def rss_kib(self, which):
        status = harness.read(f"/proc/{self.reeved.process.pid}/status")
        return int(status.split(f"{which}:")[1].split()[0])

    def round_trip(self, *options):
        programs = {
            "virsh": ("virsh", "-q", "-c", self.reeved.unix_uri),
            "reeve": (harness.REEVE, "-q", "-c", self.reeved.shell_uri),
        }
        before = self.rss_kib("VmRSS")
        for name, program in programs.items():
            with self.subTest(name):
                copy = self.path("copy")
                run(*program, "vol-download", "v", copy, "default", *options,
                    timeout_s=300)
                run("cmp", f"{self.images}/v", copy, timeout_s=300)
                with open(f"{self.images}/u", "wb") as file:
                    file.truncate(SIZE)
                run(*program, "vol-upload", "u", copy, "default", *options,
                    timeout_s=300)
                run("cmp", f"{self.images}/v", f"{self.images}/u", timeout_s=300)
                os.unlink(copy)
        if not harness.SANITIZED:
            self.assertLess(self.rss_kib("VmHWM") - before, MAX_GROWTH_KIB)

    def test_full(self):
        with open(f"{self.images}/v", "wb") as file:
            for _ in range(SIZE // PIECE):
                file.write(os.urandom(PIECE))
        self.round_trip()

    def test_sparse(self):
        with open(f"{self.images}/v", "wb") as file:
            file.truncate(SIZE)
            for offset in range(0, SIZE, 64 * PIECE):
                file.seek(offset + PIECE)
                file.write(os.urandom(PIECE))
        self.round_trip("--sparse")
        self.assertLess(os.stat(f"{self.images}/u").st_blocks * 512, SIZE // 16)


if __name__ == "__main__":
    harness.main("virsh", "cmp")
