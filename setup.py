"""Packages the library alone: the example stays in the repository."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
INIT = (HERE / "luggage" / "__init__.py").read_text(encoding="utf-8")
VERSION = re.search(r'__version__ = "([^"]+)"', INIT)
if VERSION is None:
    raise SystemExit("luggage/__init__.py: __version__ not found")

setup(
    name="sealed-luggage",
    version=VERSION.group(1),
    description="A Python web application, its dependencies and its secrets in one sealed file",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=find_packages(include=["luggage", "luggage.*"]),
    package_data={"luggage": ["py.typed"], "luggage.buildpex": ["*.in", "*.txt", "create/*"]},
    install_requires=[
        "environ-config>=26.1",
        "gunicorn>=27.0,<28",
        "mainland==0.0.1",
        "ncolony>=2024.1",
        "prometheus-client>=0.26",
        "pynacl>=1.6.2",
        "twisted>=26.10",
    ],
    extras_require={
        "pack": ["cyclonedx-python-lib>=11.12,<12", "packaging>=26", "pex>=2.105,<3", "uv>=0.13"]
    },
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Environment :: Web Environment",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: System :: Software Distribution",
        "Typing :: Typed",
    ],
)
