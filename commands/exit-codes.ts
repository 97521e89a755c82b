/** How the command line ends, besides 0 for done: as `sysexits.h` has it where the settings are bad (`EX_CONFIG`). */
export const FAILED = 1;
export const USAGE = 2;
export const BAD_SETTINGS = 78;
