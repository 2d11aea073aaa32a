#!/usr/bin/env python3
"""package_test.py: `cpack -G DEB` makes packages that know what they depend on; unpacked, they are an installation."""
import glob
import os
import shutil

import harness
from installed import Installed


class Package(Installed):
    def setUp(self):
        super().setUp()
        for tool in ("dpkg-deb", "dpkg-shlibdeps", "cpack"):
            if not shutil.which(tool):
                self.skipTest(f"no {tool} here")

    def test_debian_packages_install_and_run(self):
        self.run_it("cpack", "-G", "DEB", "-B", self.work, "--config",
                    os.path.join(harness.arguments.build, "CPackConfig.cmake"), cwd=self.work)
        root, fields = os.path.join(self.work, "root"), {}
        for path in glob.glob(os.path.join(self.work, "*.deb")):
            lines = self.run_it("dpkg-deb", "--field", path, "Package", "Version", "Depends").splitlines()
            field = dict(line.split(": ", 1) for line in lines)
            fields[field["Package"]] = field
            self.run_it("dpkg-deb", "--extract", path, root)
        self.assertEqual(set(fields), {"libteak0", "libteak-dev", "teak"})
        version = fields["teak"]["Version"]
        self.assertRegex(fields["libteak0"]["Depends"], r"libc6 \(>= .*liburing2 \(>= ")
        self.assertNotIn("jemalloc", fields["libteak0"]["Depends"])
        self.assertRegex(fields["teak"]["Depends"], "libjemalloc2")
        self.assertIn(f"libteak0 (= {version})", fields["libteak-dev"]["Depends"])
        self.assertIn("liburing-dev", fields["libteak-dev"]["Depends"])
        self.check(os.path.join(root, "usr"))
        store = os.path.join(self.work, "store")
        self.run_it(self.command, "append", "--dir", store, "--quiet", input="one\ntwo\n")
        self.assertEqual(self.run_it(self.command, "cat", "--dir", store), "one\ntwo\n")


if __name__ == "__main__":
    harness.main()
