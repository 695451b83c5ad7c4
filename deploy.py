"""`python -m deploy` is, in this repository, the example's deployment."""

from luggage import bootstrap

if __name__ == "__main__":
    bootstrap.ensure()
    import runpy

    runpy.run_module("example_deploy", run_name="__main__", alter_sys=True)
