// What the pages of the desk add where scripts run. Everything works without them.
"use strict";
