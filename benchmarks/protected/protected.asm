; One image with all loops (frame.inc): the life of a protected-mode system, kind by kind.
%include "frame.inc"
%include "v86.inc"
%include "gates.inc"
%include "faults.inc"
%include "modes.inc"
%include "segments.inc"
%include "debug.inc"
%include "real.inc"
%include "compound.inc"
section .loops
  dd 0
section .text
end_of_image:
