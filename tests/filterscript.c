/* filterscript.c: the filter of daemon.py, which is a script: a program that its user cannot read, as the installed one
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <stdio.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
    char *script[16] = {(char *)"python3", (char *)"-IS", (char *)"/run/filter.py"};

    for (int i = 1; i < argc && i < 12; i++)
        script[2 + i] = argv[i];
    execv("/usr/bin/python3", script);
    perror("/usr/bin/python3");
    return 1;
}
