/** The script of a page that came as it is, to be compared with: tells when its app was there, and does nothing else. */

import { loaded } from './shell/loaded';

void loaded();
