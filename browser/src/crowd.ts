/** The script of a crowd: with the loader's engine it makes a visitor one of those who share the origin's copy of the app while they take it. */

import { takeStart } from './shell/join';
import { share } from './shell/crowd';

const start = takeStart();
if (start) void share(start);
