#!/usr/bin/env node
import { loadSettings } from '../config/settings.ts';
import { serve } from '../commands/serve.ts';
await serve(loadSettings());
