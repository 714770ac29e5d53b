# fish loads this when a command line of vitals is completed first; what it needs is asked of the program itself.
/usr/bin/vitals completions fish | source
