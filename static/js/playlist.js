/** The page of a playlist. */

import "#library/sortable-list";
