import type { Settings } from '../../config/settings.ts';
import type { Clock } from '../../core/clock.ts';

/** What the checks of the settings look at: the settings, and the files that they name. */
export interface Setup {
  readonly settings: Settings;
  readonly clock: Clock;
}
