// Draws the guest's picture into an SDL window.
#pragma once

#include <SDL.h>

#include <memory>
#include <string>

#include "display/frame_exchange.h"
#include "display/picture_placement.h"

namespace relic86 {

template <auto destroy>
struct SdlDeleter {
  template <class T>
  void operator()(T* object) const {
    destroy(object);
  }
};
using SdlWindowHandle = std::unique_ptr<SDL_Window, SdlDeleter<SDL_DestroyWindow>>;
using SdlRenderer = std::unique_ptr<SDL_Renderer, SdlDeleter<SDL_DestroyRenderer>>;
using SdlTexture = std::unique_ptr<SDL_Texture, SdlDeleter<SDL_DestroyTexture>>;

class SdlPicture {
 public:
  // False: SDL can draw into no window here; SDL_GetError() says why.
  bool open(SDL_Window* window);

  // As it is shown.
  PictureShape shape() const;
  // The newest picture; rows are those that changed since the last call.
  void update(const Frame& frame, RowRange rows);
  // Draws what update() was given; what is drawn over it comes next, then show().
  void draw();
  void show();
  SDL_Renderer* renderer() const { return renderer_.get(); }
  void set_aspect(Aspect aspect) { aspect_ = aspect; }
  Aspect aspect() const { return aspect_; }
  // Where a point of the window (in its own units, which may be larger than pixels) is in the picture; see
  // point_in_picture().
  PicturePoint point(SDL_Window* window, int x, int y, unsigned most) const;
  // The renderer lost its textures: everything is uploaded again from the next whole frame.
  void textures_lost(const Frame* frame);

 private:
  Placement place(Extent area) const;
  SDL_Texture* sharpened(Placement& place);

  SdlRenderer renderer_;  // before the textures that belong to it
  SdlTexture texture_;    // the guest's pixels
  SdlTexture sharp_;      // the same, each repeated
  Extent texture_size_, sharp_size_;
  Extent largest_texture_;
  bool can_sharpen_ = false;
  PictureShape shape_;  // as the guest has it
  Aspect aspect_ = Aspect::Monitor;
};

}  // namespace relic86
