# Image for a runner with a GPU: TensorFlow's official image with the course.
#   docker build --file docker/gpu.Dockerfile --tag cnn-course-gpu .
#   docker run --rm --gpus all --volume "$PWD:/course" cnn-course-gpu course run --profile gpu
# Not every version of TensorFlow has an image; this one does.
ARG TENSORFLOW=2.20.0
FROM tensorflow/tensorflow:${TENSORFLOW}-gpu

# Install the dependencies of the course, but keep every package that the image already contains.
WORKDIR /course
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY course course
RUN pip freeze > /tmp/image.txt \
    && cut -d= -f1 /tmp/image.txt | tr -d ' ' | sed 's/.*/^&==/' > /tmp/has.txt \
    && grep -v -i -f /tmp/has.txt constraints.txt | grep -v '^tensorflow' > /tmp/pins.txt \
    && pip install --no-cache-dir --constraint /tmp/pins.txt --editable '.[tools]' 'jax[cuda12]'

# The checkout is mounted over /course; downloads are saved in a volume.
ENV COURSE_DATA_DIR=/data KERAS_HOME=/data/keras TF_CPP_MIN_LOG_LEVEL=3
